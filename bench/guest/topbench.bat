@echo off
cd \topbench
echo BEGIN-topbench >COM1
topbench -i -q
echo END-topbench >COM1
