length:
		ret
