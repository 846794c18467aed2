pae:
		ret
