debug:
		ret
