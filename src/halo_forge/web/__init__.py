"""The web page: a face on the schemas, run folders and events that the command line also uses."""
