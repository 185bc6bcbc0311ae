"""Views: records become tables, figures and progress bars."""
