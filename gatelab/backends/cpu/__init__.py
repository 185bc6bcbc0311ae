"""The cpu backend: kernels in LLVM IR, made from the schedule of any cell and compiled in process."""
