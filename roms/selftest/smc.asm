smc:
		ret
