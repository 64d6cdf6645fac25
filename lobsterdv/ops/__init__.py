"""Verbs: one module each, one public function, one report. Inputs left, outputs right, observer last."""
