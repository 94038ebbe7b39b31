"""Federation: telling other registries, taking what they tell, asking them, answering them."""
