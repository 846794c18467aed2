wrap:
		ret
