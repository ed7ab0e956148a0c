"""The studio: a project folder, a small local server and a page, where people label, look, train and take away."""
