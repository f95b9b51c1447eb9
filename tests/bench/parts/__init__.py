"""What benchmarks are made of; `make bench` runs the files of the folder above."""
