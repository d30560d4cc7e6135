print("status2")
