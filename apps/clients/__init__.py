"""What the client checks need: a throw-away PACS, a browser, clients that act like the plugins."""
