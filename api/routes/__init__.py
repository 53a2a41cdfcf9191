"""The routes of the HTTP API, a file a resource. docs/reference/routes.md lists them all."""
