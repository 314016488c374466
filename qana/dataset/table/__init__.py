"""What a source says of its images before one is opened: ids, labels, groups, attributes and faults."""
