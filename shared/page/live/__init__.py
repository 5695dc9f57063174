"""The page: the report's drawing, sent anew to every open tab when something has changed."""
