"""Every sentence that a person reads, made from typed facts."""
