"""What the models compute, from the warehouse to `models_ml` and back: the tables of schema `ml`, as of each day.

A producer (`forecasts`, `grades`, ...) declares its tables as data (`tables`) and writes their rows of one as-of day;
the stage (`stage`) opens the days, gives each day one transaction and runs every producer in it. Asset specs, the dbt
source file and the table comments follow from the declarations. How a model works is `models_ml`'s business; what the
facts are, the transforms'.
"""
