"""Known truths: how often each method with each inference is right, where the answer is known."""
