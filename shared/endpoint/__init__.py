"""How the programs reach Redis: the URL, TLS, what kind of server answers, connections that send a command once."""
