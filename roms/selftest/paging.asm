paging:
		ret
