priority:
		ret
