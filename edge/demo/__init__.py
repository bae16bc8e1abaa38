"""`lineclear demo`: the whole job on a simulated machine, every part of it the real one but the machine."""
