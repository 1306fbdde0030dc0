"""Looking ahead: will a village pass its threshold by the year's end."""
