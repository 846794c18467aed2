v86:
		ret
