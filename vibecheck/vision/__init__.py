"""From a picture to a mood: images, faces, crops, the classifier, smoothing."""
