nmi:
		ret
