"""What `import snacbench` offers; the command line calls the same functions."""
