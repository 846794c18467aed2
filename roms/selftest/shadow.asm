shadow:
		ret
