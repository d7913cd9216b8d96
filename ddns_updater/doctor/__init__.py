"""What is well and what is not: one module for each thing that `ddns doctor` looks at; nothing here writes."""
