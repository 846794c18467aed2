lock_prefix:
		ret
