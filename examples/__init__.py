"""Complete pipelines that show the library at work."""
