@echo off
echo BENCH-PROMPT >COM1
echo BEGIN-dos-int >COM1
dosint
echo END-dos-int >COM1
echo BEGIN-dos-str >COM1
dosstr
echo END-dos-str >COM1
echo AT-PROMPT >COM1
