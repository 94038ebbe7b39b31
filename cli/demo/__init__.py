"""The main job in ten steps, over the public doors only, with synthetic persons made at run time."""
