"""Run the notebooks: plan, execute in real kernels, render, publish whole or not at all."""
