"""What drivers decide: functions of inputs and parameters, which executors can call, too."""
