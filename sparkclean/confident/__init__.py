"""The method on numbers: numpy only, no Spark, no input or output, no clock."""
