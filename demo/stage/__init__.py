"""The stage, `make stage`: both programs at work on a primary and its replica, with buttons that let things fail.

The programs are processes with their documented options, as in the demo. The page is that of `server-b page`, in this
process, with a panel of buttons and a list of what was done. Buttons in `server-b page` itself were rejected: whoever
may look at a run would be a click away from breaking what it runs on.
"""
