"""Who does the work of a run: threads of this process, or workers on the machines of a cluster.

``crew`` is the seam. ``distant_crew`` deals series out to workers and knows no Ray; ``ray_team``
starts workers with Ray and is the only module that imports it; ``worker`` is what runs there.
"""
