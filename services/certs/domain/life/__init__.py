"""The life of a licence after it was issued: orders, versions, copies, inspections, history, retention."""
