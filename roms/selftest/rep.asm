rep_prefix:
		ret
