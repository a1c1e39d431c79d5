"""Facts about artifacts on disk, for drivers, executors and resolvers."""
