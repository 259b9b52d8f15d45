"""Parts that live in the browser: the latent player and the teaching page made of it. Never import torch."""
