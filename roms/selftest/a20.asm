a20:
		ret
