"""What ``spss doctor`` looks at, one concern a file."""
