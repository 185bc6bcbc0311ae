"""The compiler: a Cell becomes a Schedule, which every kernel is made from."""
