"""What a trained model says: traversals, differentials, overlap, scores, selection, baselines.

Arrays in, arrays out. Never imports torch.
"""
