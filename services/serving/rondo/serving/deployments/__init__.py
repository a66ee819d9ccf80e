"""Follow DeploymentChanged: load, warm up, swap, unload."""
