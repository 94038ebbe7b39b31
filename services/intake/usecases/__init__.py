"""What intake does, one function per verb, in the nouns cases, ratings, archive, supervision, identity."""
