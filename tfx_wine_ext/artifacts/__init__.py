"""Facts about artifacts on disk, which drivers, executors and resolvers ask for."""
