"""Plain modelling: frames in, frames out. No orchestration, database, files, clock or environment belongs here.

The engine is `models_ml.engine` (fit, forecast, backtest), its judge `models_ml.metrics` (evaluate), and the shapes of
the frames they exchange are in `models_ml.frames`.
"""
