"""What checks: agreement between engines, tolerances with their reasons, and the reports that show them."""
